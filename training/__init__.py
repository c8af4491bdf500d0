"""The recipe that turns upright pictures into a model: data, synth, network, train, distill, calibrate, export, judge."""
