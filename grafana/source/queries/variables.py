"""What the dashboard variables offer. Models, processes and nodes come and go with runs."""

from queries.selectors import OWN

VARIABLE_JOB = "label_values(exporter_build_info, job)"
VARIABLE_INSTANCE = 'label_values(exporter_build_info{job=~"$job"}, instance)'
VARIABLE_ROUTE = f"label_values(benchmark_requests_total{{{OWN}}}, route)"
VARIABLE_MODEL = f'label_values(benchmark_requests_total{{{OWN},route=~"$route"}}, model)'
VARIABLE_PROCESS = f'label_values(observed_process_up{{{OWN},role=~"router|node"}}, process)'
VARIABLE_NODE = f"label_values(router_node_up{{{OWN}}}, node)"
VARIABLE_HOST = f"label_values(node_uname_info{{{OWN}}}, node)"
VARIABLE_GPU = f"label_values(gpu_info{{{OWN}}}, gpu)"
VARIABLE_RUN = f"label_values(benchmark_run_info{{{OWN}}}, run)"
VARIABLE_LABEL = f"label_values(benchmark_result_timestamp_seconds{{{OWN}}}, label)"
