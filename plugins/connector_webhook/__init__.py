"""Events by webhook, signed by the Standard Webhooks specification."""
