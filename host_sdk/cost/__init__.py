"""What a model costs on a board: cycles, memory, and which networks would fit."""
