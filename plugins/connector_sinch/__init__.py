"""What every Sinch plugin shares: signatures, errors."""
