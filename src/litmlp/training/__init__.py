"""Training under Lightning's Trainer: the model's training shell, and what makes a run exact to resume."""
