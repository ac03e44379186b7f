"""Reports: drafts, revisions, signatures, templates, critical results."""
