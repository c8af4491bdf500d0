"""One module for each program that people already use. Importing one costs nothing until that program asks it."""
