"""The emulators of the stack, as the tests see them: what arrived by e-mail, what is on App IO, paying at pagoPA."""
