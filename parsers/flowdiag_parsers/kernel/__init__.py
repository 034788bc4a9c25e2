"""What tools that watch a node's kernel tell of the packets that it dropped, whoever's rule or program it was."""
