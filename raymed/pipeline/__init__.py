"""The verbs' stories, end to end."""
