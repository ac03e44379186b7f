"""What needs those in charge: conditions that stand, and telling of them by mail and webhook."""
