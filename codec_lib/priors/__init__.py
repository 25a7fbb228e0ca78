"""What is known of latents before they are decoded: estimated in training, in integers when coding."""
