"""The runner of a block: its tasks onto slots, their ends into its log."""
