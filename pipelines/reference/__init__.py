"""The reference pages of docs/, generated from what defines them: models of files, contracts, the dbt project.

Nothing is said of a key, a column or a mart here: each page repeats its authority, so that it can be no other's word.
"""
