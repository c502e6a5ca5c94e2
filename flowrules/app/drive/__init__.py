"""The driver of a campaign: blocks are asked for, fed, watched, and found again."""
