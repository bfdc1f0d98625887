"""The paper's adversarial nets: settings, layers, game, training."""
