"""Measures programs that find which way up a picture belongs, on the same pictures, shown all four ways."""
