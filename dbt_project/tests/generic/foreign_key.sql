-- Fails if a row names something that the other model does not have; to_columns: its names there, if they differ.
{% test foreign_key(model, columns, to, to_columns=none) %}

select {{ columns | join(', ') }}
from {{ model }}

except

select {{ (to_columns or columns) | join(', ') }}
from {{ of_runs(to) }}

{% endtest %}
