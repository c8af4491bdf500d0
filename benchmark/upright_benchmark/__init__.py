"""Measures programs that tell which way up a picture belongs, on the same pictures, shown all four ways."""
