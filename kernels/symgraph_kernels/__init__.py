"""Scalar mathematics that vectorizes: one definition per function, for LLVM, numba, CUDA and NumPy.

Importing this package imports nothing else. Start at ``table`` (what there is, how accurate) and
``words`` (the language of the definitions).

    table            ROWS: name, definition, ulp in float64 and float32, reference, source
    words            the primitive words that definitions are written in
    llvm             words as LLVM instructions: emit_function(module, "exp", "float64")
    jit              the table for numba: jit.exp(x) in njit code and in plain Python
    plain            words on NumPy arrays: evaluate("exp", x), the same definitions step by step
    exponential      exp, exp2, expm1, hyperbolic functions, sigmoid, softplus, logaddexp
    logarithm        log, log2, log10, log1p
    trigonometric    sin, cos, tan of any argument (twooverpi: the bits of 2/pi)
    inverse          asin, acos, atan, atan2, asinh, acosh, atanh
    roots            cbrt, hypot, pow
    defects          log1pmx, cosm1, exprel, sinhc, sqrt1pm1, pow1p, pow1pm1, log(x/y), exp(x*y)
    error            erf, erfc, erfcx, erfinv, ndtr, log_ndtr, ndtri
    gamma            gamma, gammaln, digamma, trigamma
    pairs            error-free sums and products
    coefficients     minimax polynomials, made by kernels/fit
"""
