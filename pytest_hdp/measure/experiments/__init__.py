"""What is no sweep: the first packet, and packets sent by hand."""
