"""The main job: a table in, a trained model, its result and its folder out."""
