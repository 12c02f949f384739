"""Loads a list of items from the simulator into PostgreSQL with dlt, as its documentation shows it for a paginated REST
API, and prints one JSON line with its peak memory and version.

usage: dlt_items.py API_URL TOKEN ORGANISATION DATABASE_URL
"""

import json
import resource
import sys

import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.auth import APIKeyAuth
from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator

api_url, token, organisation, database_url = sys.argv[1:5]

client = RESTClient(
    base_url=f"{api_url}/books/v3",
    auth=APIKeyAuth(name="Authorization", api_key=f"Zoho-oauthtoken {token}", location="header"),
    paginator=PageNumberPaginator(base_page=1, total_path=None, has_more_path="page_context.has_more_page"),
    data_selector="items",
)


@dlt.resource(name="items", primary_key="item_id", write_disposition="merge")
def items():
    params = {"organization_id": organisation, "per_page": 200, "filter_by": "Status.All"}
    for page in client.paginate("items", params=params):
        yield page


pipeline = dlt.pipeline(
    pipeline_name="zohosync_benchmark",
    destination=dlt.destinations.postgres(credentials=database_url),
    dataset_name="dlt_items",
)
pipeline.run(items())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"peak_kib": peak, "version": dlt.__version__}))
