"""What one picture looks like, measured when it is opened; the audit judges it later."""
