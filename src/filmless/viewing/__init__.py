"""What people draw on images and how they lay images out: drafts, what they become, hanging protocols."""
