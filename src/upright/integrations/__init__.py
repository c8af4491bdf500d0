"""One module for each program that people already use. Importing one costs nothing until that program asks it."""

#: Programs that keep photographs and are spoken to by HTTP, and the environment variable with the key.
PHOTO_PROGRAMS = {"immich": "IMMICH_API_KEY", "photoprism": "PHOTOPRISM_TOKEN"}
