"""What is done to a running deployment to see how a mesh takes it: one file per kind. Imports the harness's model and nothing else."""
