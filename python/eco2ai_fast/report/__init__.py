"""Reports for people: records in, text out. Nothing here measures, and no stored value is rounded."""
