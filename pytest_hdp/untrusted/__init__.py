"""What others wrote: text is made harmless to show, values are read strictly, and what is wrong is named."""
