# OpenAI Agents SDK: pip install openai-agents; needs OPENAI_API_KEY.
import asyncio

from agents import Agent, Runner
from agents.mcp import MCPServerStdio


async def main():
    # Over HTTP: MCPServerStreamableHttp(params={"url": "http://127.0.0.1:8765/mcp"}, client_session_timeout_seconds=600)
    params = {"command": "npx", "args": ["-y", "preflexor"]}
    # Training takes longer than the five seconds that the SDK waits by default.
    async with MCPServerStdio(params=params, client_session_timeout_seconds=600) as server:
        agent = Agent(name="Teacher", instructions="Let the small model teach itself.", mcp_servers=[server])
        print((await Runner.run(agent, "Teach the model on /absolute/path/articles.")).final_output)


asyncio.run(main())
