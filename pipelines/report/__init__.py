"""A run's report: one self-contained HTML page, built from the marts alone.

    marts.py       opens the warehouse, read only
    questions.py   what is asked of the marts: one statement per figure, which the page shows too
    wording.py     numbers as a banker says them
    theme.py       colours, and charts as SVG that follows the reader's light or dark
    charts.py      the charts
    netting.py     the largest cycles, each drawn with its payments and net positions
    content.py     what stands on the page, in order
    page.py        the page itself

Nothing here knows dagster or dbt.
"""
