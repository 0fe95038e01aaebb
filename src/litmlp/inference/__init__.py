"""From what people have, numbers and image files, to samples and predictions, in plain torch, Pillow and numpy."""
