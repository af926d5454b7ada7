"""Where does this work? Every kernel and distribution at hand against every stage, in parallel and cached.

``columns`` says what is asked, ``nodes`` how each answer is found, ``graph`` which answers need which,
``cache`` what is known already, ``execute`` on what it runs; ``record`` is the result that all outputs
(JSON, JUnit, SARIF, page) are made from.
"""
