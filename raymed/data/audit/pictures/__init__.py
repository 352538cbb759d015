"""What the images look like, and whether a class can be told by what is no disease."""
