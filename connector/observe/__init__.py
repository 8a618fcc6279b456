"""What the product tells operators about itself; never about a person."""
