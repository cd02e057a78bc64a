"""The engine gguf: llama.cpp in this process, the files it makes and reads, and the gate before them."""
