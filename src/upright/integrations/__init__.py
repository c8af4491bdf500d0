"""One module for each program that people already use. Importing one costs nothing until that program asks it."""

#: Photo programs with an HTTP interface, and the environment variable of the key.
PHOTO_PROGRAMS = {"immich": "IMMICH_API_KEY", "photoprism": "PHOTOPRISM_TOKEN"}
