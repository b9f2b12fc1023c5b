"""A run on disk: a folder of JSON, safetensors and Parquet, written so that nothing is lost."""
