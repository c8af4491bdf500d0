"""The recipe that turns upright pictures into the model: data, synth, network, train, distill, calibrate, export, evaluate."""
