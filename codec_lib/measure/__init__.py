"""Rate, distortion and the codecs to beat: real bytes of real files."""
