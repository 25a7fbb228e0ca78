"""What is known of symbols before they are decoded: estimated in training, in integers when coding.

All have the same verbs: a pass for training that tells bits (but for maps, whose coder learns nothing),
`freeze`, `encode`, and `decode`, which raises a SectionError for bytes that do not fit. Two kinds:

    of latents    a `Prior` quantizes y and gives y_hat back: channel, hyper, checkerboard and slanted (both
                  with a context)
    of symbols    a model has quantized already, and each codes what it is made for: residual (samples),
                  volume (levels in three dimensions), bits (of iterations), coarse_to_fine (maps)
"""
