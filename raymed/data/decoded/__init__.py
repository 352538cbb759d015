"""Decoded images: once into a memory-mapped file, or anew for each batch where it does not fit."""
