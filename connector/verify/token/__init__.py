"""Tokens: JSON Web Signatures in compact form (RFC 7515, RFC 7797), with or without claims (RFC 7519)."""
