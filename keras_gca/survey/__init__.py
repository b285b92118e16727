"""The human evaluation of Section 5, in which volunteers choose between two machine-generated answers.

questionnaire.py   `Survey`: dialogue lines, two answers to each line, and the discriminator's scores
dialogues.py       makes a survey from held-out conversations and trained models
votes.py           stores volunteers and their votes in SQLite
server.py          serves the form as a web page (Figure 3)
paper_form.py      writes the form for printing and as CSV, and reads filled-in CSV forms
tables.py          computes Tables 1 and 2, Eq. 11, agreement, a sign test and confidence intervals
report.py          writes these results as Markdown, LaTeX, CSV and JSON
__main__.py        `python -m keras_gca.survey`
"""
