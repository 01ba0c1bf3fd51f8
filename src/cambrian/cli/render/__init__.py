"""Output: tables, JSON, drawings, pictures, pages."""
