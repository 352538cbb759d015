"""The audit: copies, hidden people, leaks, and what is said of them."""
