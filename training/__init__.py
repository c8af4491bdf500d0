"""The recipe that turns upright pictures into a model, and the judge that proves it."""
