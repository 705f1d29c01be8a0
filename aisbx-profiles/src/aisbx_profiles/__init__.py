"""The profiles that come with aisbx."""
