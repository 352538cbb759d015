"""The cluster: the only folder that imports Ray."""
