"""The Sinch SMS API (XMS) as a provider."""
