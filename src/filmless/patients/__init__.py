"""Who a patient is: identifiers and their issuers, names, and flags for a steward."""
