SELECT sweep_mandates()
