# LangChain (Python): pip install langchain-mcp-adapters. The server's tools, for any agent.
import asyncio

from langchain_mcp_adapters.client import MultiServerMCPClient


async def main():
    client = MultiServerMCPClient(
        {
            "preflexor": {"transport": "stdio", "command": "npx", "args": ["-y", "preflexor"]},
            # Over HTTP: {"transport": "streamable_http", "url": "http://127.0.0.1:8765/mcp"}
        }
    )
    print([tool.name for tool in await client.get_tools()])


asyncio.run(main())
